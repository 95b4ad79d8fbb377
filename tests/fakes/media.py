"""A catalog of media models over one fake provider, and audio files to send."""

import io
import wave

CATALOG = """
[[providers]]
name = "up"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "sk-upstream-secret"
allow_private_address = true
"""

PRICES = {
    "painter": 'image = "0.04"\nimage_hd_1024x1792 = "0.12"',
    "gpt-image": 'input = "5"\noutput = "0"\nimage_input = "10"\nimage_output = "40"',
    "speaker": 'character = "15"',
    "whisper": 'audio_hour = "0.36"',
    "listener": 'input = "2.5"\noutput = "10"\naudio_input = "6"',
    "judge": 'input = "1"\noutput = "0"',
    "ranker": 'search = "0.002"',
    "token-ranker": 'input = "0.05"\noutput = "0"',
    "free-form": 'input = "1"\noutput = "2"',
    "realtime": (
        'input = "4"\ncache_read = "0.4"\noutput = "16"\n'
        'audio_input = "32"\naudio_cache_read = "0.4"\naudio_output = "64"'
    ),
}


def media_catalog(port: int) -> str:
    models = [
        f'[[models]]\nname = "{name}"\ncontext_tokens = 32000\nmax_output_tokens = 4000\n'
        f'encoding = "o200k_base"\n[[models.targets]]\nprovider = "up"\nmodel = "up-{name}"\n'
        f"[models.price]\n{price}\n"
        for name, price in PRICES.items()
    ]
    return CATALOG.format(port=port) + "\n".join(models)


def wav(seconds: int, content: bytes = b"\0") -> bytes:
    """Silence, or whatever bytes repeated, at 16 kHz in one channel of 16 bits."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        frames = seconds * 32_000
        file.writeframes((content * (frames // len(content) + 1))[:frames])
    return out.getvalue()


def form(fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> tuple[bytes, str]:
    """A multipart body and its content type."""
    pieces = [
        f'--XYZ\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, (filename, data) in files.items():
        head = f'--XYZ\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        pieces.append(head.encode() + b"Content-Type: audio/wav\r\n\r\n" + data + b"\r\n")
    return b"".join(pieces) + b"--XYZ--\r\n", "multipart/form-data; boundary=XYZ"
