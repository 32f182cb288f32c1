"""Tables of the records' schema."""

from markdown import Extension


class SchemaTables(Extension):
    """To come."""

    def extendMarkdown(self, md):
        """To come."""


def makeExtension(**options):
    return SchemaTables(**options)
