"""Links to folders of the repository, which are no pages: the site shows their text."""

from pathlib import Path


def setup(app):
    """Register with Sphinx."""
    app.connect("missing-reference", show_folder_as_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def show_folder_as_text(app, env, node, text):
    """Return the text of a link to a folder that exists; None for any other link."""
    page = Path(env.doc2path(node["refdoc"]))
    is_folder = node["reftype"] == "myst" and (page.parent / node["reftarget"]).is_dir()
    return text if is_folder else None
