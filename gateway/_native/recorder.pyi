from gateway._native.tokens import Counter

class Recorder(Counter):
    @property
    def text(self) -> bytes: ...
    @property
    def pieces(self) -> list[bytes]: ...
