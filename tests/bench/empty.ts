// The empty program: compiled as skdocker is, it shows what Bun's own start costs.
