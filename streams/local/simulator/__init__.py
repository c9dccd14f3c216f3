"""A seeded shop: customers with latent traits, and what a shop would see of them. For demo and tests."""
