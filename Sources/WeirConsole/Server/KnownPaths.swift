import HTTPTypes
import Hummingbird

/// Which methods each path of a router takes, so that a wrong method is told from a path that does not exist.
struct KnownPaths: Sendable {
    private let routes: [(path: [String], method: HTTPRequest.Method)]

    init(_ router: Router<BasicRequestContext>) {
        routes = router.routes.map { (Self.parts(of: $0.path.description), $0.method) }
    }

    /// - Returns: sorted; empty where no route has this path.
    func methods(at path: String) -> [HTTPRequest.Method] {
        let asked = Self.parts(of: path)
        let found = routes.filter { route in
            route.path.count == asked.count
                && zip(route.path, asked).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }.map(\.method)
        // A router answers HEAD wherever it answers GET.
        return (found + (found.contains(.get) ? [.head] : [])).sorted { $0.rawValue < $1.rawValue }
    }

    private static func parts(of path: String) -> [String] { path.split(separator: "/").map(String.init) }
}
