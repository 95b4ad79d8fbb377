"""The kinds of providers that are reached over HTTP, by the name a catalog gives them."""

from gateway.proxy.providers.anthropic import AnthropicUpstream
from gateway.proxy.providers.azure import AzureUpstream
from gateway.proxy.providers.bedrock import BedrockUpstream
from gateway.proxy.providers.gemini import GeminiUpstream
from gateway.proxy.providers.http import HttpUpstream
from gateway.proxy.providers.openai import OpenAIUpstream

HTTP_KINDS: dict[str, type[HttpUpstream]] = {
    "openai": OpenAIUpstream,
    "azure-openai": AzureUpstream,
    "anthropic": AnthropicUpstream,
    "gemini": GeminiUpstream,
    "bedrock": BedrockUpstream,
}
