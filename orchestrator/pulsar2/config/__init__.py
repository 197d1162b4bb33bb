"""The build config of `pulsar2 build`: its types, how it is read, checked, printed and staged."""
