// MANO's kinematic tree: the wrist, then five chains of three joints.
const PARENTS = array<u32, 16>(0u, 0u, 1u, 2u, 0u, 4u, 5u, 0u, 7u, 8u, 0u, 10u, 11u, 0u, 13u, 14u);
