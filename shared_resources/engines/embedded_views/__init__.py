"""The engine `duckdb`: of each reader's agreements a database file with a view a product.

Belongs here: the view that says an agreement's terms (`statements.py`), a reader's file and its change
in one step (`file.py`), the engine (`views.py`), keeping views on the current version (`following.py`).
Does not belong here: what is agreed (`shares.py`), the order of changes (`difference.py`).

The files are `<home>/access/views/<reader>/<purpose>.duckdb`, for any DuckDB that opens them on this
machine: nothing has to be attached, set or installed. A view names the immutable files of one published
version, so that it shows that version whole. It is made anew, with its file, when the next is published:
who opens the file afterwards sees the next one, who has it open keeps the one that he began with.

A keyed hash needs the mesh's key, which may not stand where its readers look. Such an agreement's rows
are read through the door, masked, and kept in the file itself; its view shows these.

Whoever may read the files that a view names may read all of them. What keeps him out is the machine.
"""
