"""Make every file of sample_data/ again; needs PyPI."""

from __future__ import annotations

from sample_data.scripts import aluminium, bentheimer, fibres, nanoporous_gold, spheres


def main() -> None:
    """Run the script of each sample."""
    for script in (nanoporous_gold, bentheimer, aluminium, fibres, spheres):
        script.main()


if __name__ == "__main__":
    main()
