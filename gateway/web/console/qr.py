"""QR codes as pictures within a page: no script, no image from elsewhere, dark on white always.

A scanner needs the contrast and the quiet zone (ISO/IEC 18004) whatever the page's theme is.
"""

from markupsafe import Markup

QUIET_MODULES = 4


def qr_code(text: str, label: str) -> Markup:
    """The code of a text as inline SVG; `label` says what it is to those who cannot see it."""
    import segno  # for the few who add an authenticator app

    drawn = segno.make(text, error="m").svg_inline(
        border=QUIET_MODULES,
        dark="#000",
        light="#fff",
        omitsize=True,
        svgclass="qr",
        lineclass=None,
    )
    # Only modules are drawn: none of the text's characters stands in the picture.
    picture = Markup(drawn)  # noqa: S704
    return Markup('<span role="img" aria-label="{}">{}</span>').format(label, picture)
