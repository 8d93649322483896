"""Mail: what is written, in which language, and how it leaves by SMTP."""
