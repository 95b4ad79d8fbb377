# Compiled: every request passes here.

cpdef framed_prompt_tokens(str endpoint, object text_tokens, object messages, object tools)
