"""Pictures of circuits: schematics of small ones, diagrams of their layers or graphs of large ones.

What is drawn are `mho.drawing.parts.Part`s, of a netlist or of a network; `placement` finds their places, `schematic`,
`lattice`, `graph_view` and `layer_diagram` draw them, and `mho.drawing.draw` is the one entry.
"""
