import Logging
import ServiceLifecycle
import WeirConsole
import WeirNode
import WeirWorld

/// API and console beside a node, unless they are off.
enum Console {
    static func services(for node: Node) throws -> [any Service] {
        guard node.apiAddress != "off" else { return [] }
        let log = node.world.log
        return [
            try ConsoleServer(node: node, listen: node.apiAddress, world: node.world) { url in
                log.notice("API and console listen.", metadata: ["at": "\(url)"])
            }
        ]
    }
}
