package import WeirCalls
internal import WeirFlow
package import WeirGates
internal import WeirSettings

/// The settings that every destination with bodies over HTTP has: where to, how large, how packed, how patiently.
package protocol HTTPSendingSettings: DestinationSettings {
    var url: String { get set }
    var urls: [WeightedURL] { get set }
    var tls: TLSSettings? { get set }
    var compress: HTTPCompression { get set }
    var maxBody: ByteCount { get set }
    /// 0 for no limit.
    var maxEvents: Int { get set }
    var flush: Duration { get set }
    var concurrency: Int { get set }
    var timeout: Duration { get set }
}

extension HTTPSendingSettings {
    /// `url` and `urls`.
    static func addressFields(
        _ help: String, examples: [String], several: String, severalExamples: [String]
    ) -> [Field<Self>] {
        [
            field("url", \.url, check: HTTPAddress.isURL, examples: examples, help),
            field("urls", \.urls, examples: severalExamples, several),
        ]
    }

    /// All the others.
    static func sendingFields(maxEvents: ClosedRange<Int> = 0...10_000_000) -> [Field<Self>] {
        [
            field("tls", \.tls, "For `https://` URLs: own authority, client certificate."),
            field("compress", \.compress, "How bodies are packed."),
            field(
                "max_body", \.maxBody, range: .kilobytes(1)...(.megabytes(256)),
                "Most bytes of events in one request, before packing."),
            field(
                "max_events", \.maxEvents, range: maxEvents,
                "Most events in one request" + (maxEvents.contains(0) ? "; 0 for no limit." : ".")),
            field(
                "flush", \.flush, range: .zero...(.seconds(600)),
                "How long to wait for more events before a request that is not full goes out."),
            field("concurrency", \.concurrency, range: 1...256, "Requests in flight before the gate holds back."),
            field("timeout", \.timeout, range: .milliseconds(10)...(.seconds(3_600)), "How long one request may take."),
        ]
    }

    /// How its batches are cut.
    func shape(joinsContexts: Bool) -> DeliveryShape {
        DeliveryShape(
            bytesMost: maxBody.asInt, eventsMost: maxEvents == 0 ? .max : maxEvents, linger: flush,
            concurrency: concurrency, timeout: timeout, joinsContexts: joinsContexts)
    }

    /// What requests to an address have in common; the destination adds what is its own.
    func target(
        _ address: HTTPAddress, contentType: String, headers: [(String, String)], secrets: [String]
    ) -> HTTPEndpoint.Target {
        HTTPEndpoint.Target(
            address: address, headers: headers, contentType: contentType, compression: compress, tls: tls,
            timeout: timeout, secrets: secrets)
    }

    func urlMistakes() -> [SettingMistake] {
        switch (url.isEmpty, urls.isEmpty) {
        case (true, true):
            [SettingMistake("url", "`url` is missing", help: "write `url: http://HOST/PATH`, or a list of `urls`")]
        case (false, false): [SettingMistake("urls", "`url` and `urls` exclude each other", help: "keep one")]
        case (true, false) where urls.allSatisfy({ $0.weight == 0 }):
            [SettingMistake("urls", "every URL has weight 0, so none is ever used", help: "give one a weight of 1")]
        default: []
        }
    }

    /// Every URL with its weight; notes what is wrong with them.
    func addresses(_ planning: inout DestinationPlanning) -> [(address: HTTPAddress, weight: Int)] {
        tls?.check(&planning)
        planning.note([tls?.serverNameMistake(key: "tls")].compactMap { $0 })
        let all =
            url.isEmpty
            ? urls.enumerated().map { ("urls[\($0.offset)].url", $0.element.url, $0.element.weight) }
            : [("url", url, 1)]
        var found: [(HTTPAddress, Int)] = []
        for (key, text, weight) in all {
            do throws(HTTPAddress.Mistake) {
                found.append((try HTTPAddress(text), weight))
            } catch {
                planning.mistake(key, "`url` \(error.complaint)")
            }
        }
        if tls != nil, !found.contains(where: { $0.0.isSecure }) {
            planning.mistake(
                "tls", "`tls` is set, but no URL begins with `https://`", help: "take it out or change the URL")
        }
        return found
    }
}
