"""How many tokens the files of a prompt may cost at most: what a hold reckons with.

A bound, never a count: a provider's own report is what is billed. Where a rule is published it is
followed; a model without one is taken at the dearest rule known. Sources:

- OpenAI: guide "Images and vision", "Calculating costs": tiles (`framing.IMAGE_RULES`), patches of
  32 px with a factor; from GPT-5.2 on up to 10,000 patches ("original"), later ones without such a
  limit as measured figures have it (14,364 tokens of 4,032 x 3,024 px, which is 1.2 a patch). Guide
  "PDF files": text and a picture of each page. Audio: a token per 100 ms.
- Anthropic: guide "Vision": patches of 28 px or a token for 750 px, 4,784 at most of the models
  that see most; "PDF support": up to 3,000 tokens of text a page besides its picture.
- Google: guides "Understand and count tokens" (258 a tile, 32 a second of sound) and "Media
  resolution" (2,240 a picture at most, 1,120 a page).
- Others: 28 px a patch and 16,384 a picture at most (Qwen-VL, its model card), with a floor that
  covers Llama's and Pixtral's tiles.

The whole is bounded by the model's context, into which a prompt must fit.
"""

import math
import re

from gateway.platform.metering.framing import IMAGE_RULES, Patches, image_tokens

CLAUDE_PATCH_PX, CLAUDE_MOST = 28, 4_784
GEMINI_TILE, GEMINI_MOST, GEMINI_PAGE = 258, 2_240, 1_120
OTHER_LEAST, OTHER_MOST = 1_700, 16_384
TEXT_PER_PAGE = 3_000
LARGEST_SIDE_PX = 6_000  # OpenAI's pictures are fitted into so much
AUDIO_PER_S = 32  # Google's, the most of those published
OPENAI_AUDIO_PER_S = 10
AUDIO_BASE = 16
_OPENAI = re.compile(r"^(?:gpt-|chatgpt|o[134](?:-|$)|computer-use)")
_PATCHED = re.compile(r"^gpt-(?:5\.(?:[2-9]|\d\d)|[6-9]|\d\d)")
_UNCAPPED = re.compile(r"^gpt-(?:[6-9]|\d\d)")
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PAGES = re.compile(rb"/Count\s+(\d{1,6})")

Size = tuple[int, int] | None


def image_bound(model: str, size: Size, detail: str = "auto") -> int:
    """The most that one picture may cost; `size` None: only an address is known."""
    name = model.lower().rsplit("/", 1)[-1]
    if "claude" in name:
        return CLAUDE_MOST if size is None else min(_claude_image(*size), CLAUDE_MOST)
    if "gemini" in name:
        return _gemini_image(name, size)
    if _OPENAI.match(name):
        return _openai_image(name, size, detail)
    if size is None:
        return OTHER_MOST
    patches = math.ceil(1.2 * _patches(size, CLAUDE_PATCH_PX))
    return min(max(patches, OTHER_LEAST), OTHER_MOST)


def document_bound(model: str, data: bytes | None, media_type: str) -> int | None:
    """The most that a document may cost; None when there is no telling but by the context."""
    if data is None:
        return None
    if media_type.startswith("text/") or media_type in ("application/json", "application/xml"):
        return len(data)  # no token is shorter than a byte
    if data[:1024].find(b"%PDF-") < 0:
        return None
    counts = [int(found) for found in _PAGES.findall(data)]
    pages = max([len(_PAGE.findall(data)), *counts])
    if not pages:  # they stand in compressed objects
        return None
    if "gemini" in model.lower():
        return pages * GEMINI_PAGE
    page = image_bound(model, (2_048, 2_048))
    return pages * (TEXT_PER_PAGE + page)


def audio_bound(model: str, milliseconds: int) -> int:
    """The most that so much sound may cost."""
    name = model.lower().rsplit("/", 1)[-1]
    per_s = OPENAI_AUDIO_PER_S if _OPENAI.match(name) else AUDIO_PER_S
    return AUDIO_BASE + math.ceil(milliseconds * per_s / 1_000)


def _claude_image(width: int, height: int) -> int:
    """Earlier models are documented with a token for 750 pixels."""
    patches = _patches((width, height), CLAUDE_PATCH_PX)
    return max(patches, math.ceil(width * height / 750))


def _patches(size: tuple[int, int], side_px: int) -> int:
    return math.ceil(size[0] / side_px) * math.ceil(size[1] / side_px)


def _gemini_image(name: str, size: Size) -> int:
    if not any(early in name for early in ("gemini-1", "gemini-2")):
        return GEMINI_MOST
    width, height = size or (3_841, 3_073)  # the most tiles that 12 megapixels are cut into
    if max(width, height) <= 384:
        return GEMINI_TILE
    unit = min(max(min(width, height) * 2 // 3, 256), 768)
    return GEMINI_TILE * math.ceil(width / unit) * math.ceil(height / unit)


def _openai_image(name: str, size: Size, detail: str) -> int:
    """By the published rule; of an unknown size, the largest that the rule admits."""
    width, height = size or (LARGEST_SIDE_PX, LARGEST_SIDE_PX)
    if _PATCHED.match(name):
        percent = 246 if "nano" in name else 162 if "mini" in name else 120
        most = 10**9 if _UNCAPPED.match(name) else 10_000
        return math.ceil(min(_patches((width, height), 32), most) * percent / 100)
    rule = next(
        (IMAGE_RULES[name[:n]] for n in range(len(name), 0, -1) if name[:n] in IMAGE_RULES), None
    )
    if rule is None:
        return OTHER_MOST
    if size is None and not isinstance(rule, Patches):
        width, height = 2_048, 768  # eight tiles: no shape has more
    return image_tokens(name, width, height, detail=detail)
