"""People sign on through an identity provider, which vouches for who they are."""
