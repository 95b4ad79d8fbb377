"""Azure OpenAI: the OpenAI dialects behind deployments and an API version.

Source: Azure OpenAI reference, "REST API" and "API version lifecycle". With `api_version` a request
goes to `/openai/deployments/{deployment}/...` and Responses to `/openai/responses`; without one the
address is taken to be that of the newer API, `https://NAME.openai.azure.com/openai/v1`. The
target's model is the deployment's name. The key goes in `api-key`.
"""

from urllib.parse import quote

from gateway.platform.catalog import Target
from gateway.proxy.exchange import Exchange
from gateway.proxy.providers.http import HttpUpstream
from gateway.proxy.providers.openai import versionless


class AzureUpstream(HttpUpstream):
    """One provider of kind `azure-openai`."""

    __slots__ = ()

    def path(self, x: Exchange, target: Target) -> str:
        """The deployment's path, or the newer API's."""
        version, path = self.provider.api_version, versionless(x.wire)
        if version is None:
            return path
        base = "" if self.provider.path.endswith("/openai") else "/openai"
        if x.wire.name == "responses":
            return f"{base}{path}?api-version={version}"
        return f"{base}/deployments/{quote(target.model, safe='')}{path}?api-version={version}"

    def credential(self, api_key: str) -> str:
        """The key in Azure's own header."""
        return f"api-key: {api_key}"
