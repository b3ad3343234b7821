"""From attention rows to a grid: pure functions on arrays, [layer, head, row, token] in that order."""
