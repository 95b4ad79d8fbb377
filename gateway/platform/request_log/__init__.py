"""The request log room: one metadata row a request, rollups, and the questions asked of them."""
