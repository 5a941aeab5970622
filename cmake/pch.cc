// The precompiled headers need one translation unit of their own.
