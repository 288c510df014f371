"""Reports: runs as one HTML page. Numbers are `measured`, shown by a module a topic, and put together by `page`."""
