"""Style of the report as a page: light, dark and printed."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2327; --quiet: #59636b;
  --line: #d5dade; --card: #f5f7f8; --agrees: #00694d; --close: #00527f;
  --differs: #a34700; --unknown: #59636b; --axis-z: #0072b2; --axis-y: #d55e00;
  --axis-x: #009e73; --axis-all: #7b5ea7; }
@media (prefers-color-scheme: dark) { :root { --paper: #15191c; --ink: #e6eaed;
  --quiet: #a3adb5; --line: #3a4349; --card: #1e2428; --agrees: #5fd3ae;
  --close: #7cc4f2; --differs: #ffad66; --unknown: #a3adb5; --axis-z: #5ab4ec;
  --axis-y: #ee8a3c; --axis-x: #2fc79a; --axis-all: #b49ae0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; padding-top: .5rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.25rem 0 .25rem; }
p, ul { margin: .4rem 0; }
.quiet, figcaption { color: var(--quiet); font-size: .9rem; }
.headline { font-size: 1.25rem; font-weight: 600; margin: .9rem 0 .2rem; }
.agrees { color: var(--agrees); } .close { color: var(--close); }
.differs { color: var(--differs); } .unknown { color: var(--unknown); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .38rem .7rem .38rem 0;
  border-bottom: 1px solid var(--line); }
thead th { border-bottom-width: 2px; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.mark { white-space: nowrap; font-weight: 600; }
figure { margin: 1rem 0 1.5rem; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
.checks { display: grid; gap: .9rem; padding: 0; margin: .75rem 0;
  grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); list-style: none; }
.checks li { background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .8rem 1rem; }
.checks h3 { margin-top: 0; }
code { font-size: .85em; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .8rem 1rem; overflow-x: auto; font-size: .82rem; }
summary { cursor: pointer; padding: .35rem 0; font-weight: 600; }
footer { color: var(--quiet); font-size: .9rem; padding-bottom: 2.5rem; }
@media print { :root { --paper: #ffffff; --ink: #000000; --quiet: #444444;
    --line: #bbbbbb; --card: #ffffff; --agrees: #00694d; --close: #00527f;
    --differs: #a34700; --unknown: #444444; --axis-z: #0072b2; --axis-y: #d55e00;
    --axis-x: #009e73; --axis-all: #7b5ea7; }
  body { font-size: 10pt; } main, header, footer { max-width: none; padding: 0; }
  figure, tr, .checks li { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .wide { overflow: visible; } .checks { grid-template-columns: 1fr 1fr; } }
"""
