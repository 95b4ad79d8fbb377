"""What each code of the error catalogue means, as one English sentence for the catalogues.

The sentence is the class's own docstring: when it is raised and what the caller should do.
"""

from typing import Final

from gateway.base.errors import CATALOGUE

MEANINGS: Final = {
    code: " ".join((error.__doc__ or "").split()) for code, error in CATALOGUE.items()
}
