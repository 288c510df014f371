"""Circuits in time: capacitors, amplifiers of finite bandwidth, and how a network settles."""
