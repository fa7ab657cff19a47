"""The HTML and CSS of the report; `report` fills in the $names."""

__all__ = ["FIGURE", "PAGE"]

FIGURE = """\
<figure>
  <div class="slice"><img src="$image" width="$width" height="$height" alt="$title"><img
    class="contour" src="$contour" alt=""></div>
  <figcaption><b>$title</b> $caption</figcaption>
</figure>"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="LightSeg $lightseg">
<title>$title</title>
<style>
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #fff; --ink: #1a1d23; --soft: #5d6673; --line: #dfe3e9;
  --segmentation: $segmentation_color; --reference: $reference_color;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #14171c; --card: #1d2128; --ink: #e8eaee; --soft: #9aa4b2; --line: #323843; }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif;
}
main { max-width: 1060px; margin: 0 auto; padding: 32px 24px 48px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 13px; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); margin: 0 0 10px; }
p { margin: 0; }
.soft, figcaption { color: var(--soft); }
.break { overflow-wrap: anywhere; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 18px 20px; margin-top: 16px;
}
.figures { display: flex; flex-wrap: wrap; gap: 16px; margin-top: 20px; }
.figures div {
  flex: 1 1 150px; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: 14px 18px;
}
.figures b { display: block; font-size: 28px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.columns { display: grid; align-items: start; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 16px; }
.columns section { margin-top: 16px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td {
  text-align: left; padding: 5px 12px 5px 0; border-top: 1px solid var(--line);
  vertical-align: top; font-weight: 400;
}
tr:first-child > * { border-top: 0; }
thead th, tbody th { color: var(--soft); }
td.number, th.number { text-align: right; padding: 5px 0 5px 12px; }
td.hash { font: 12px/1.6 ui-monospace, monospace; overflow-wrap: anywhere; }
.swatch {
  display: inline-block; width: .75em; height: .75em; border-radius: 2px;
  margin-right: .5em; vertical-align: -.02em;
}
.slices {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 16px;
  align-items: start;
}
figure { margin: 0; break-inside: avoid; }
.slice { position: relative; background: #000; border-radius: 6px; overflow: hidden; }
.slice img { display: block; width: 100%; height: auto; }
.slice .contour { position: absolute; inset: 0; transition: opacity .12s; }
.slice:hover .contour { opacity: 0; }
figcaption { font-size: 13px; margin-top: 6px; }
figcaption b { color: var(--ink); font-weight: 600; margin-right: .4em; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin-bottom: 12px; }
details summary { cursor: pointer; color: var(--soft); margin-top: 10px; }
footer { margin-top: 20px; color: var(--soft); font-size: 13px; }
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; }
  body { font-size: 11px; } main { max-width: none; padding: 0; }
  section { break-inside: avoid; padding: 10px 12px; } section.pictures { break-inside: auto; }
  .slices { grid-template-columns: repeat(3, 1fr); } .columns { grid-template-columns: 1fr 1fr; }
  .hint, details { display: none; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="soft break">$subtitle</p>
<div class="figures">$figures</div>
<section class="pictures">
<h2>Most telling slices</h2>
<div class="legend">$legend</div>
<div class="slices">
$pictures
</div>
</section>
<div class="columns">
<section><h2>Volumes</h2>$volumes</section>
$agreement
<section><h2>Time</h2>$timings</section>
</div>
<section><h2>Provenance</h2>$provenance
<details><summary>Checksums (sha256) of the model files</summary>$hashes</details></section>
<footer>Research software.
Not a medical device: not for diagnosis or treatment decisions. Check every segmentation by eye.</footer>
</main>
</body>
</html>
"""
