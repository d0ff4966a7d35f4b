#include "bridge/probe/document.hpp"

#include <qpdf/QPDF.hh>

#include "bridge/probe/verdict.hpp"

namespace nexus::probe {
namespace {

bool acts(QPDFObjectHandle action) {
  if (!action.isDictionary()) return false;
  QPDFObjectHandle type = action.getKey("/S");
  if (!type.isName()) return false;
  const std::string name = type.getName();
  return name == "/JavaScript" || name == "/Launch" || name == "/SubmitForm" || name == "/ImportData";
}

bool is_active(QPDF &pdf) {
  QPDFObjectHandle root = pdf.getRoot();
  if (acts(root.getKey("/OpenAction")) || root.hasKey("/AA")) return true;
  QPDFObjectHandle names = root.getKey("/Names");
  return names.isDictionary() && (names.hasKey("/JavaScript") || names.hasKey("/EmbeddedFiles"));
}

}  // namespace

int read_pdf(Input &input, const Limits &limits) {
  try {
    QPDF pdf;
    pdf.setSuppressWarnings(true);
    pdf.setAttemptRecovery(false);
    pdf.processMemoryFile("the PDF", reinterpret_cast<const char *>(input.whole()),
                          static_cast<std::size_t>(input.size()));
    if (pdf.isEncrypted()) throw Refused(kUnsupportedType, "the PDF is encrypted");
    if (is_active(pdf)) throw Refused(kUnsupportedType, "the PDF has script, attachments or actions");
    const std::size_t pages = pdf.getAllPages().size();
    if (pages == 0) throw Refused(kCorrupt, "the PDF has no pages");
    if (pages > static_cast<std::size_t>(limits.max_pages)) {
      throw Refused(kTooLong, std::to_string(pages) + " pages are more than " + std::to_string(limits.max_pages));
    }
    return static_cast<int>(pages);
  } catch (const QPDFExc &error) {
    if (error.getErrorCode() == qpdf_e_password) throw Refused(kUnsupportedType, "the PDF is encrypted");
    throw Refused(kCorrupt, "the PDF is cut off or damaged: " + printable(error.getMessageDetail()));
  } catch (const std::logic_error &) {
    throw Refused(kCorrupt, "the PDF is damaged");
  }
}

}  // namespace nexus::probe
