"""What the reports of the algorithms share: one page, one style, charts drawn as SVG.

A page is a single file that loads nothing from elsewhere and follows the reader's light or dark
mode: charts take their colours from the page's style.
"""
