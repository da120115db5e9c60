"""One page about an image: its pictures, verdicts, findings and structures.

In: an opened image. Out: a model, which is plain data, and from it one HTML file or an SVG picture.
Refuses: nothing whose header can be read; what was not looked at is listed in the model.

The viewer is in this folder too: `page.html`, `viewer.css` and `viewer*.js`.
"""
