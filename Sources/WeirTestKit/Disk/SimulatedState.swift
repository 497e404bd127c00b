import WeirWorld

/// What is on the simulated disk, and what trouble it is in.
struct SimulatedState {
    enum NameChange {
        case set(String, SimulatedNode)
        case remove(String)
    }

    var names: [String: SimulatedNode] = [:]
    var durableNames: [String: SimulatedNode] = [:]
    var nameChanges: [String: [NameChange]] = [:]
    var directories: Set<String> = ["/"]
    var locks: Set<String> = []
    var random: SplitMix
    var capacity: Int64
    var isReadOnly = false
    var openFilesMost = Int.max
    var openFiles = 0
    var syncFailures = 0
    var lifeLeft = Int.max
    var life: UInt64 = 0
    var operations = 0
    var nextNumber: UInt64 = 1
    var syncs = 0
    var bytesWritten: Int64 = 0

    var used: Int64 { names.values.reduce(0) { $0 + Int64($1.content.count) } }

    mutating func kill() {
        life &+= 1
        lifeLeft = .max
        locks = []
        openFiles = 0
    }

    mutating func crash() {
        kill()
        for directory in nameChanges.keys.sorted() {
            guard let changes = nameChanges[directory] else { continue }
            let kept = Int(random.next() % UInt64(changes.count + 1))
            for change in changes.prefix(kept) { SimulatedState.apply(change, to: &durableNames) }
        }
        nameChanges = [:]
        names = durableNames
        for path in names.keys.sorted() {
            guard let node = names[path] else { continue }
            node.lose(&random)
            node.content = node.durable
        }
    }

    /// Makes the names in a directory durable.
    mutating func syncNames(in directory: String) {
        for change in nameChanges.removeValue(forKey: directory) ?? [] {
            SimulatedState.apply(change, to: &durableNames)
        }
    }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    mutating func addDirectories(above path: String) {
        var above = SimulatedState.parent(path)
        while above != "/" {
            directories.insert(above)
            above = SimulatedState.parent(above)
        }
    }

    mutating func rename(_ change: NameChange, _ path: String) {
        SimulatedState.apply(change, to: &names)
        nameChanges[SimulatedState.parent(path), default: []].append(change)
    }

    func check(_ operation: String, _ path: String) throws(FileFailure) {
        if lifeLeft <= 0 { throw failure(.broken, operation, path) }
    }

    /// Counts a change; the one after the last of the disk's life does not happen.
    mutating func spend(_ operation: String, _ path: String) throws(FileFailure) {
        if isReadOnly { throw failure(.readOnly, operation, path) }
        lifeLeft -= 1
        if lifeLeft <= 0 { throw failure(.broken, operation, path) }
        operations += 1
    }

    static func apply(_ change: NameChange, to names: inout [String: SimulatedNode]) {
        switch change {
        case .set(let path, let node): names[path] = node
        case .remove(let path): names[path] = nil
        }
    }
}
