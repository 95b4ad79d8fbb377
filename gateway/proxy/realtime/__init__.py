"""Realtime sessions: a WebSocket on either side, relayed frame by frame and charged turn by turn.

`session` relays and decides, `frames` says what a frame means to the meter, `dial` opens the
provider's side. The door brings the client's side and the phases of a request.
"""
