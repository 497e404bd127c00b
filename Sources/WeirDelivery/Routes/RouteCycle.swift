/// Finds a way that leads back to where it began, among destinations that send to destinations.
package enum RouteCycle {
    /// - Parameter edges: each name and the names it sends to, in the order of the configuration.
    /// - Returns: the names of the first circle found, with its first name again at the end (`a, b, a`); `nil` when
    ///   there is none.
    package static func find(_ edges: [(name: String, to: [String])]) -> [String]? {
        enum Mark { case onPath, done }
        var marks: [String: Mark] = [:]
        let targets = Dictionary(edges.map { ($0.name, $0.to) }, uniquingKeysWith: { first, _ in first })
        for (start, _) in edges where marks[start] == nil {
            // With an own stack: a configuration may be a long chain, and nothing from outside may exhaust the
            // thread's.
            var path: [(name: String, next: Int)] = [(start, 0)]
            marks[start] = .onPath
            while let top = path.last {
                let to = targets[top.name] ?? []
                guard top.next < to.count else {
                    marks[top.name] = .done
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let name = to[top.next]
                switch marks[name] {
                case .done: continue
                case .onPath:
                    let from = path.firstIndex { $0.name == name } ?? 0
                    return path[from...].map(\.name) + [name]
                case nil:
                    guard targets[name] != nil else { continue }
                    marks[name] = .onPath
                    path.append((name, 0))
                }
            }
        }
        return nil
    }
}
