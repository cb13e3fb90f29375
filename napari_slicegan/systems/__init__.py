"""The other published systems: OASIS DCGAN, RealnessGAN, SpecGAN, nine Gaussians."""
