"""The official SDKs behind one face: the same questions to each, in its own words."""
