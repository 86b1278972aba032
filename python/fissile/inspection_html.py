"""An Inspection as HTML: a fragment for notebooks, and a page that needs nothing else.

Text is one inline element a token, without padding, so that it wraps, joins and runs right to left as text does. What a
token is (id, bytes, place) is its aria-label, which a style shows under its line while it is pointed at or has the focus:
that takes no script, and works where scripts do not run. The page's script adds arrow keys, and marks the same bytes in the
other views.

A text cannot leave its place: all of it is escaped, characters that reorder or hide text are spelt out, and the page's
policy lets no script run but its own.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from fissile.inspection_text import note, summary
from fissile.printable import Part, parts, printable

if TYPE_CHECKING:
    from fissile.inspection import Inspection, Token, View

__all__ = ["fragment", "page"]

_N_COLORS = 6
_MAX_LABEL_BYTES = 32  # of a token that are listed one by one

# light-dark() chooses by color-scheme: the system's, or that of the notebook around it.
_STYLE = """
.fissile-inspection { color-scheme: light dark; display: grid; gap: 0 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, max(22rem, 40%)), 1fr)); }
[data-jp-theme-light="true"] .fissile-inspection, .vscode-light .fissile-inspection { color-scheme: light; }
[data-jp-theme-light="false"] .fissile-inspection, .vscode-dark .fissile-inspection,
html[theme="dark"] .fissile-inspection { color-scheme: dark; }
.fissile-inspection .view { position: relative; min-width: 0; padding-bottom: 3rem; }
.fissile-inspection .name { font: 600 .95rem/1.4 system-ui, sans-serif; overflow-wrap: anywhere; }
.fissile-inspection .how, .fissile-inspection .count { font: .875rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
  color: light-dark(#4d5560, #a9b1bb); }
.fissile-inspection .text { margin: .5rem 0; font: 1rem/1.75 ui-monospace, SFMono-Regular, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; white-space: break-spaces; overflow-wrap: anywhere; tab-size: 4;
  unicode-bidi: plaintext; text-align: start; }
.fissile-inspection .t { color: light-dark(#14171a, #f2f4f6); border-radius: 2px; padding: .1em 0; cursor: default;
  box-decoration-break: clone; -webkit-box-decoration-break: clone; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.fissile-inspection .k0 { background: light-dark(#cfe2ff, #24497f); }
.fissile-inspection .k1 { background: light-dark(#ffdf9e, #6b4a10); }
.fissile-inspection .k2 { background: light-dark(#d0f4d0, #1f5a33); }
.fissile-inspection .k3 { background: light-dark(#dcc9ff, #54398a); }
.fissile-inspection .k4 { background: light-dark(#c4f0f2, #115a60); }
.fissile-inspection .k5 { background: light-dark(#ffc9d2, #7d2f3f); }
.fissile-inspection .d { box-shadow: inset 0 -2px 0 light-dark(#14171a, #f2f4f6); }
.fissile-inspection .s { font-weight: 700; }
.fissile-inspection .e, .fissile-inspection .b { unicode-bidi: isolate; direction: ltr; font-size: .75em;
  white-space: nowrap; }
.fissile-inspection .e { opacity: .7; }
.fissile-inspection .b { display: inline-block; line-height: 1.3; box-shadow: 0 0 0 1px light-dark(#14171a66, #f2f4f666); border-radius: 3px; margin: 0 2px; }
.fissile-inspection .m { font-family: "Noto Sans", system-ui, sans-serif; }  /* monospaced ones misplace marks on a circle */
.fissile-inspection .t:hover, .fissile-inspection .t:focus, .fissile-inspection .t.o {
  outline: 2px solid light-dark(#14171a, #fff); outline-offset: 0; }
.fissile-inspection .t:hover::after, .fissile-inspection .t:focus::after { content: attr(aria-label); position: absolute;
  left: 0; right: 0; margin-left: var(--tip, 0); margin-top: 1.9em; z-index: 9; box-sizing: border-box;
  width: fit-content; max-width: min(100%, 24rem); padding: .5rem .75rem; border-radius: 6px; pointer-events: none;
  background: light-dark(#14171a, #f2f4f6); color: light-dark(#f2f4f6, #14171a); box-shadow: 0 2px 8px #0006;
  font: 400 .8125rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; text-align: left; direction: ltr; unicode-bidi: isolate; }
.fissile-inspection .text:hover .t:focus:not(:hover)::after { content: none; }
.fissile-inspection .ids { font: .8125rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
.fissile-inspection summary { font: .875rem/1.5 system-ui, sans-serif; cursor: pointer; }
@media (forced-colors: active) { .fissile-inspection .t { outline: 1px solid; } }
"""

_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 1.25rem; padding-bottom: 9rem; max-width: 82rem; box-sizing: border-box;
  background: light-dark(#fff, #14171a); color: light-dark(#14171a, #f2f4f6); font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.25rem; overflow-wrap: anywhere; }
body > p { margin: .25rem 0 1.25rem; font-size: .875rem; color: light-dark(#4d5560, #a9b1bb); }
"""

# One token of each view is reached by Tab, the others from there by arrow keys.
_SCRIPT = """
const views = [...document.querySelectorAll('.view')].map(view => ({ view, tokens: [...view.querySelectorAll('.t')] }));
const range = token => [Number(token.dataset.begin), Number(token.dataset.end)];

function show(token) {
  document.querySelectorAll('.o').forEach(other => other.classList.remove('o'));
  if (!token) return;
  const own = token.closest('.view'), box = own.getBoundingClientRect(), tip = Math.min(384, box.width);
  const left = Math.min(token.getClientRects()[0].left - box.left, box.width - tip);
  token.style.setProperty('--tip', Math.max(left, 0) + 'px');
  const [begin, end] = range(token);
  for (const { view, tokens } of views) {
    if (view === own) continue;
    for (const other of tokens) {
      const [b, e] = range(other);
      if (b < end && begin < e) other.classList.add('o');
    }
  }
}

for (const { view, tokens } of views) {
  let at = 0;  // the token that Tab goes to
  tokens.forEach((token, i) => { token.tabIndex = i ? -1 : 0; });
  const text = view.querySelector('.text');
  text.addEventListener('pointerover', event => show(event.target.closest('.t')));
  text.addEventListener('pointerleave', () => show(null));
  text.addEventListener('focusin', event => {
    tokens[at].tabIndex = -1;
    at = tokens.indexOf(event.target);
    tokens[at].tabIndex = 0;
    show(event.target);
  });
  text.addEventListener('keydown', event => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tokens.length - 1 }[event.key];
    if (!tokens[to] || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    tokens[to].focus();
  });
}
"""


def page(inspection: Inspection) -> str:
    """A page of its own."""
    from fissile import __version__

    begin = printable(inspection.text[:60])
    title = f"{begin}…" if len(inspection.text) > 60 else begin
    style = _STYLE + _PAGE_STYLE
    policy = f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(_SCRIPT)}"
    differs = " Underlined: what the first list divides otherwise." if len(inspection.views) > 1 else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Fissile {__version__}">
<title>Tokens: {escape(title)}</title>
<style>{style}</style>
</head>
<body>
<h1>Tokens</h1>
<p>Point at a token, tap it, or go to it with Tab and the arrow keys: id, bytes and place.{differs}</p>
{_views(inspection)}
<script>{_SCRIPT}</script>
</body>
</html>
"""


def fragment(inspection: Inspection) -> str:
    """For a notebook: the views with their style, and no script."""
    return f"<style>{_STYLE}</style>\n{_views(inspection)}"


def _digest(source: str) -> str:
    """How a content security policy names a script or a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _views(inspection: Inspection) -> str:
    views = "\n".join(_view(inspection, view) for view in inspection.views)
    return f'<div class="fissile-inspection">\n{views}\n</div>'


def _view(inspection: Inspection, view: View) -> str:
    shown = list(view.tokens(inspection.n_shown(view)))
    tokens = "".join(_token(inspection, token, i) for i, token in enumerate(shown))
    how = view.how or "canonical"
    left_out = note(inspection, view)
    return f"""<section class="view">
<div class="name">{_safe(view.name)}</div>
<div class="how">{_safe(how)}</div>
<div class="text" dir="auto">{tokens}</div>
<div class="count">{summary(inspection, view, "underlined")}{f"<br>Shown: {left_out}" if left_out else ""}</div>
<details><summary>Ids</summary><div class="ids">[{", ".join(str(token.id) for token in shown)}]</div></details>
</section>"""


def _safe(text: str) -> str:
    return escape(printable(text.encode("utf-8", "surrogateescape")))


def _token(inspection: Inspection, token: Token, i: int) -> str:
    classes = f"t k{i % _N_COLORS}{' d' if token.differs else ''}{' s' if token.special else ''}"
    shown = "".join(map(_part, parts(token.token))) or '<span class="e">empty</span>'
    return (
        f'<span class="{classes}" role="img" tabindex="0" data-begin="{token.begin}" data-end="{token.end}" '
        f'aria-label="{escape(_label(inspection, token))}">{shown}</span>'
    )


def _part(part: Part) -> str:
    if part.kind == "text":
        return escape(part.shown)
    base = "\N{DOTTED CIRCLE}" if part.kind == "mark" else ""
    line_end = "<br>" if part == ("escape", "\\n") else ""
    return f'<span class="{part.kind[0]}">{base}{escape(part.shown)}</span>{line_end}'


def _label(inspection: Inspection, token: Token) -> str:
    """What there is to know of a token, in lines."""
    first, last = inspection.chars(token.begin, token.end)
    more = f" … ({len(token.token)} bytes)" if len(token.token) > _MAX_LABEL_BYTES else ""
    lines = [
        f"id {token.id}{', a special token' if token.special else ''}",
        f"bytes {token.token[:_MAX_LABEL_BYTES].hex(' ')}{more}",
        f"at bytes {token.begin} to {token.end}",
        f"at characters {first} to {last}",
    ]
    text = inspection.text[token.begin : token.end]
    if token.token and not text:
        lines.append("for nothing in the text")
    elif cut := inspection.part_of(token.begin, token.end):
        lines.append(f"holds part of {_named(cut)}")
    elif token.token.lstrip(b" ") != text.lstrip(b" "):
        lines.append(f"for {printable(text)!r} in the text")
    elif _is_one_character(token.token) and " " in (name := _named(token.token)):
        lines.append(name)
    return "\n".join(lines)


def _is_one_character(token: bytes) -> bool:
    try:
        return len(token.decode()) == 1
    except UnicodeDecodeError:
        return False


def _named(text: bytes) -> str:
    """Characters with their code points and names."""
    import unicodedata

    named = []
    for character in text.decode("utf-8", "surrogateescape")[:4]:
        name = unicodedata.name(character, "")
        visible = f"{character} " if character.isprintable() and not unicodedata.combining(character) else ""
        named.append(f"{visible}U+{ord(character):04X} {name}".rstrip())
    return ", ".join(named)
