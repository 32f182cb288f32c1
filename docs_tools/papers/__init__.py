"""The tables of published results: gathered from records, kept as JSON in ``docs/papers/results``, written into pages.

``make papers-table`` runs ``docs_tools/papers_table.py``, which does both steps.
"""
