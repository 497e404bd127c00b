import NIOCore
package import WeirSettings

/// One entry of a list of URLs: where, and its share of the load.
package struct WeightedURL: Settings, Hashable {
    package var url = ""
    package var weight = 1

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "url", \.url, required: true, check: HTTPAddress.isURL, examples: ["http://10.0.0.5/in"],
            "Where requests go."),
        field("weight", \.weight, range: 0...1_000, "Share of the load, relative to the others; 0 is never used."),
    ]
}

package enum HTTPCompression: String, SettingChoice, Sendable {
    case none, gzip, zstd

    package var help: String {
        switch self {
        case .none: "Bodies as they are."
        case .gzip: "`Content-Encoding: gzip`, fast level."
        case .zstd: "`Content-Encoding: zstd`, fast level; the receiver must know it."
        }
    }
}
