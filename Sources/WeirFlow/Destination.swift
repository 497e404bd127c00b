/// One endpoint of a receiver: one URL, one address, one directory.
///
/// The chain (WeirDelivery) does everything else: gate, queue, retry, balance, concurrency, breaker and deadline. So a
/// destination never retries, never sleeps and keeps no backlog. `send` may be called from several tasks at once, up to
/// the plan's concurrency.
package protocol Destination: Sendable {
    /// Gets ready: connects, looks at the directory. Called before the first `send` and again after each `.unreachable`
    /// one.
    func open() async throws(DeliveryFailure)

    /// Hands over the batch and returns when the receiver has it (its answer came; where the protocol has none, when
    /// the operating system has taken all bytes).
    /// - Throws: `DeliveryFailure` that says what happens next. Cancellation is a deadline or a stop: abandon at once.
    func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport

    /// Hands over several batches in one go, as if they were one: what the chain calls when batches wait. They have the
    /// same framing, and the same context unless the shape `joinsContexts`. Indices of the report count through all of
    /// them.
    ///
    /// The default joins them into one slab (a copy); a destination that writes slabs one after the other, or encodes
    /// anyway, does without.
    func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport

    /// Flushes and lets go. `open` may follow.
    func close() async
}

extension Destination {
    package func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport {
        guard let joined = Batch.joined(batches, mixingContexts: true) else { return .delivered }
        return try await send(joined)
    }
}

/// How a destination wants its batches cut and sent.
package struct DeliveryShape: Sendable, Hashable {
    /// Largest batch in one `send`, in bytes of events.
    package var bytesMost: Int
    /// Largest batch in one `send`, in events.
    package var eventsMost: Int
    /// How long to wait for more events before a batch that is not full is sent.
    package var linger: Duration
    /// Sends in flight at once, over all endpoints. Default 5 (seeds/2, request concurrency).
    package var concurrency: Int
    /// True where the receiver sees the order of events within a connection: one send at a time per endpoint.
    package var isOrdered: Bool
    /// One send may take this long.
    package var timeout: Duration
    /// False where nothing can be held back for the receiver (UDP, drop): its gate never leaves `open`.
    package var canBackpressure: Bool
    /// True where `send` takes batches of different contexts as one (line protocols do; protocols with an index per
    /// batch do not).
    package var joinsContexts: Bool

    package init(
        bytesMost: Int = 4_194_304, eventsMost: Int = .max, linger: Duration = .seconds(1), concurrency: Int = 5,
        isOrdered: Bool = false, timeout: Duration = .seconds(30), canBackpressure: Bool = true,
        joinsContexts: Bool = false
    ) {
        self.bytesMost = bytesMost
        self.eventsMost = eventsMost
        self.linger = linger
        self.concurrency = concurrency
        self.isOrdered = isOrdered
        self.timeout = timeout
        self.canBackpressure = canBackpressure
        self.joinsContexts = joinsContexts
    }
}

/// What a checked configuration of a destination becomes: pure, nothing is opened yet. `weir check` stops here.
package struct DestinationPlan: Sendable {
    package var shape: DeliveryShape
    package var endpoints: [EndpointPlan]
    /// How often names are looked up again; `nil` for never.
    package var resolveEvery: Duration?

    package init(shape: DeliveryShape, endpoints: [EndpointPlan], resolveEvery: Duration? = nil) {
        self.shape = shape
        self.endpoints = endpoints
        self.resolveEvery = resolveEvery
    }
}

/// One entry of a destination's list of URLs or addresses.
package struct EndpointPlan: Sendable {
    /// As the operator wrote it, without secrets: `http://10.0.0.5/in`.
    package var name: String
    /// Share of the load, relative to the other endpoints; 0 is never used.
    package var weight: Int
    /// The host to look up, when each of its addresses shall be an endpoint of its own; `nil` where the destination
    /// resolves by itself or there is no host.
    package var host: String?
    /// Makes the endpoint; `address` is one of the addresses of `host`.
    package var make: @Sendable (_ address: String?) -> any Destination

    package init(
        name: String, weight: Int = 1, host: String? = nil,
        make: @escaping @Sendable (_ address: String?) -> any Destination
    ) {
        self.name = name
        self.weight = weight
        self.host = host
        self.make = make
    }
}
