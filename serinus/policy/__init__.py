"""The file a user writes: model, units, errors with lines, presets, schema."""
