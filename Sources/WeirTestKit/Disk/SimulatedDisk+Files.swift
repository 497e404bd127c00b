package import WeirWorld

extension SimulatedDisk: FileSystem {
    package func open(_ path: String, _ access: FileAccess) throws(FileFailure) -> any FileHandle {
        try change { state throws(FileFailure) in
            try state.check("open", path)
            guard state.openFiles < state.openFilesMost else { throw failure(.tooManyFiles, "open", path) }
            guard !state.directories.contains(path) else { throw failure(.broken, "open", path) }
            let (creates, exclusive, writes) =
                switch access {
                case .read: (false, false, false)
                case .write(let create, let exclusive): (create || exclusive, exclusive, true)
                case .readWrite: (true, false, true)
                }
            if writes, state.isReadOnly { throw failure(.readOnly, "open", path) }
            let node: SimulatedNode
            if let found = state.names[path] {
                if exclusive { throw failure(.exists, "open", path) }
                node = found
            } else {
                guard creates, state.directories.contains(SimulatedState.parent(path)) else {
                    throw failure(.missing, "open", path)
                }
                try state.spend("open", path)
                node = SimulatedNode(number: state.nextNumber)
                state.nextNumber += 1
                state.rename(.set(path, node), path)
            }
            state.openFiles += 1
            return SimulatedFile(
                disk: self, path: path, token: SimulatedFile.Token(node: node), life: state.life, canWrite: writes)
        }
    }

    package func lock(_ path: String) throws(FileFailure) -> (any FileLock)? {
        try change { state throws(FileFailure) in
            try state.check("lock", path)
            if !state.locks.insert(path).inserted { return nil }
            return SimulatedLock(disk: self, path: path, life: state.life)
        }
    }

    package func rename(_ from: String, to: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try state.check("rename", from)
            guard let node = state.names[from], state.directories.contains(SimulatedState.parent(to)) else {
                throw failure(.missing, "rename", from)
            }
            try state.spend("rename", from)
            state.rename(.remove(from), from)
            state.rename(.set(to, node), to)
        }
    }

    package func remove(_ path: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try state.check("unlink", path)
            guard state.names[path] != nil else { throw failure(.missing, "unlink", path) }
            try state.spend("unlink", path)
            state.rename(.remove(path), path)
        }
    }

    package func makeDirectory(_ path: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try state.check("mkdir", path)
            if state.directories.contains(path) { return }
            try state.spend("mkdir", path)
            state.addDirectories(above: path + "/x")
        }
    }

    package func removeDirectory(_ path: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try state.spend("rmdir", path)
            guard state.directories.remove(path) != nil else { throw failure(.missing, "rmdir", path) }
        }
    }

    package func list(_ directory: String) throws(FileFailure) -> [String] {
        try change { state throws(FileFailure) in
            try state.check("list", directory)
            guard state.directories.contains(directory) else { throw failure(.missing, "list", directory) }
            let all = Array(state.names.keys) + Array(state.directories)
            return all.filter { $0 != "/" && SimulatedState.parent($0) == directory }
                .map { String($0.dropFirst(directory == "/" ? 1 : directory.utf8.count + 1)) }.sorted()
        }
    }

    package func status(_ path: String) throws(FileFailure) -> FileStatus? {
        try change { state throws(FileFailure) in
            try state.check("stat", path)
            let time = WallTime(nanoseconds: 0)
            if let node = state.names[path] {
                return FileStatus(
                    kind: .file, length: Int64(node.content.count), modified: time, device: 1, inode: node.number)
            }
            guard state.directories.contains(path) else { return nil }
            return FileStatus(kind: .directory, length: 0, modified: time, device: 1, inode: 0)
        }
    }

    package func syncDirectory(_ path: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try state.check("fsync", path)
            try state.spend("fsync", path)
            state.syncNames(in: path)
        }
    }

    package func space(_ path: String) throws(FileFailure) -> DiskSpace {
        try change { state throws(FileFailure) in
            try state.check("statvfs", path)
            let total = state.capacity == .max ? .max / 2 : state.capacity
            return DiskSpace(total: total, free: max(0, total - state.used))
        }
    }
}
