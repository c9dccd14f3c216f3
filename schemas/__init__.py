"""What crosses a border of a process: the contracts. Imports nothing else of this project."""
