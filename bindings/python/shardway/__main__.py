"""``python -m shardway`` is the ``shardway`` command."""

from .cli.root import main

if __name__ == "__main__":
    main()
