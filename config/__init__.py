"""Settings, tenants, properties and policies (TOML) and their loader."""
