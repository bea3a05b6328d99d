"""The reference pages, generated from what the code declares; `hook` adds them to the site while it is built."""
