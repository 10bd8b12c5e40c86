# The id is the name of the mesh. It is restored from its own objects; where it writes none, from the virtual destinations that
# belong to it; without any, declare it.
terraform import gloo_virtual_mesh.prod prod
