import Logging
import NIOCore
import NIOPosix
package import ServiceLifecycle
package import WeirNode
package import WeirWorld

/// The demo: receivers that Weir plays itself, a configuration that sends to them, and senders of real lines.
///
/// | destination | its receiver | its gate |
/// | --- | --- | --- |
/// | `archive` | files below the data directory | open |
/// | `slow` | answers each request after 400 ms | fills, then holds its source back |
/// | `siem` | answers 503 for 40 s out of every 90 s | queues on disk, then drains |
package struct DemoStage: Sendable {
    private let slow: DemoReceiver
    private let siem: DemoReceiver
    private let lines: DemoLines
    private let world: World

    /// - Parameter lines: at least one.
    package init(lines: DemoLines, world: World) {
        self.lines = lines
        self.world = world
        slow = DemoReceiver(.slow(.milliseconds(400)), time: world.time)
        siem = DemoReceiver(.flapping(ill: .seconds(40), period: .seconds(90)), time: world.time)
    }

    /// Plays the receivers while `body` runs; `body` gets the configuration.
    package func play<Value: Sendable>(
        directory: String, listen: String, _ body: @escaping @Sendable (_ configuration: String) async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await slow.run() }
            group.addTask { try await siem.run() }
            let configuration = DemoStage.configuration(
                directory: directory, listen: listen, slow: await slow.listening(), siem: await siem.listening())
            defer { group.cancelAll() }
            return try await body(configuration)
        }
    }

    /// What sends lines to the node's two demo sources, once it is open.
    package func senders(to node: Node) -> [any Service] {
        [("edge", 200), ("feed", 6_000)].compactMap { name, perSecond in
            guard let port = node.port(ofSource: name) else { return nil }
            return DemoSender(
                port: port, lines: lines.lines, perSecond: perSecond, time: world.time,
                group: MultiThreadedEventLoopGroup.singleton)
        }
    }

    private static func configuration(directory: String, listen: String, slow: Int, siem: Int) -> String {
        """
        # The configuration of `weir demo`. Everything stays on this machine.
        data: \(directory)
        api: { listen: "\(listen)" }

        sources:
          edge: { type: syslog, listen: "127.0.0.1:0", transport: tcp }
          feed: { type: syslog, listen: "127.0.0.1:0", transport: tcp }

        destinations:
          archive: { type: filesystem, path: \(directory)/archive, partition: "strftime(event.time, '%Y-%m-%d')" }
          slow:
            type: http
            url: "http://127.0.0.1:\(slow)/in"
            concurrency: 2
            batch: { max_size: 64KiB }
            buffer: 256KiB
          siem:
            type: http
            url: "http://127.0.0.1:\(siem)/in"
            retry: { first: 1s, most: 5s }
            on_backpressure: queue
            queue: { mode: error, max_size: 200MB }

        routes:
          - { name: alerts, when: "event.severity <= 3", to: siem, final: false }
          - { name: feed, when: "source == 'feed'", to: slow }
          - { name: rest, to: [ archive, siem ] }

        """
    }
}
