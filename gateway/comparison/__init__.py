"""What differs between the answers of two versions: pure, and told field by field."""
