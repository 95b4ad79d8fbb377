"""Endpoints that are metered by other units than text tokens: images, audio, searches.

`request` reads what a request asks for, `form` its multipart body, `audio` how long a file plays;
`reserve` says what must be priced and held; `meters` watch the answer pass and `conclude` says what
it used. The phases of a request call in here for endpoints whose `media` is set.
"""
