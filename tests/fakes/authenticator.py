"""A passkey authenticator in software: WebAuthn level 2, ES256, no attestation."""

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.id = os.urandom(32)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.counter = 0

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data = {"type": kind, "challenge": challenge, "origin": self.origin}
        return json.dumps(data).encode()

    def _data(self, host: str, flags: int, tail: bytes = b"") -> bytes:
        self.counter += 1
        flag = bytes((flags,))
        return hashlib.sha256(host.encode()).digest() + flag + self.counter.to_bytes(4) + tail

    def _answer(self, response: dict[str, str]) -> str:
        answer: dict[str, Any] = {"id": encode(self.id), "rawId": encode(self.id)}
        return json.dumps(
            answer | {"type": "public-key", "response": response, "clientExtensionResults": {}}
        )

    def create(self, options: str) -> str:
        """What `navigator.credentials.create` would answer."""
        asked = json.loads(options)
        point = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
        tail = bytes(16) + len(self.id).to_bytes(2) + self.id + cbor2.dumps(cose)
        data = self._data(asked["rp"]["id"], PRESENT | VERIFIED | ATTESTED, tail)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client_data("webauthn.create", asked["challenge"])
        return self._answer(
            {"clientDataJSON": encode(client), "attestationObject": encode(attestation)}
        )

    def get(self, options: str) -> str:
        """What `navigator.credentials.get` would answer."""
        asked = json.loads(options)
        data = self._data(asked["rpId"], PRESENT | VERIFIED)
        client = self._client_data("webauthn.get", asked["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            {
                "clientDataJSON": encode(client),
                "authenticatorData": encode(data),
                "signature": encode(signature),
            }
        )
