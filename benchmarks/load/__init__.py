"""A cheap upstream, an open-loop client and a runner that measures gateways side by side."""
