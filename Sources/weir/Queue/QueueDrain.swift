import ArgumentParser
import WeirConsole

extension QueueCommand {
    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send what a removed destination left on disk through another destination's gate.",
            discussion: """
                A running node does it, with all that the gate does (it may hold, queue and retry). What the \
                destination has is taken out; when the queue is empty it is removed. Ending this command does not \
                end the draining.

                EXAMPLES:
                  weir get queues                       orphaned queues are marked
                  weir queue drain old --to siem
                  weir queue drain old --to siem --no-wait
                """)
        @Argument(help: "Name of the queue: that of the destination that was removed.") var name: String
        @Option(help: "The destination whose gate its events go through.") var to: String
        @Flag(inversion: .prefixedNo, help: "Wait until it is drained.") var wait = true
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
                let path = "/api/v1/queues/\(PathSegment.encode(name))/drain/\(PathSegment.encode(to))"
                var queue = try await client.post(StoredQueueView.self, path)
                let events = Figures.events(queue.queue.events)
                guard wait else { return Terminal.out.line("\(events) of \(name) go through the gate \(to).") }
                while queue.drainsTo != nil {
                    progress("\(Figures.count(queue.queue.events)) of \(events) are left")
                    try await Task.sleep(for: .milliseconds(500))
                    let queues = try await client.get([StoredQueueView].self, "/api/v1/queues")
                    guard let left = queues.first(where: { $0.name == name && $0.orphan }) else {
                        progress("")
                        return Terminal.out.line(
                            "\(events) of \(name) went through the gate \(to); the queue is removed.")
                    }
                    queue = left
                }
                progress("")
                let reason = queue.queue.trouble?.sentence ?? "The node stopped draining it."
                throw APIClient.Failure(
                    text: "\(Figures.events(queue.queue.events)) of \(name) are left. \(reason)", exit: .tryAgain)
            }
        }

        /// One line that is written over, on a terminal only.
        private func progress(_ text: String) {
            if Terminal.error.isTerminal { Terminal.error.write("\r\(text)\u{1B}[K") }
        }
    }
}
