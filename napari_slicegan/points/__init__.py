"""Games tried out on points of nine Gaussians: data, monitor and figures."""
